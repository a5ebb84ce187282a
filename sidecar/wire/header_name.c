/* SPDX-License-Identifier: Apache-2.0 */
#include "header_name.h"

bool header_name_is_valid(struct view name)
{
    static const bool is_name_byte[256] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
        ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true,  ['~'] = true, ['0'] = true,
        ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true,  ['7'] = true, ['8'] = true,
        ['9'] = true, ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true,  ['f'] = true, ['g'] = true,
        ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true, ['l'] = true, ['m'] = true,  ['n'] = true, ['o'] = true,
        ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true,  ['v'] = true, ['w'] = true,
        ['x'] = true, ['y'] = true, ['z'] = true,
    };

    for (size_t i = 0; i < name.size; i++)
        if (!is_name_byte[(uint8_t)name.data[i]])
            return false;
    return name.size > 0;
}
