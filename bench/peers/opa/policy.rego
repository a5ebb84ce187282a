# SPDX-License-Identifier: Apache-2.0
# The benchmark's rules as an OPA expert would write them: nothing here walks a list of rules. Roles,
# actions and conditions are keys of nested objects (data.index, built by main.go), so that a decision
# is a handful of lookups whatever the number of rules. main.go adds a `fits` rule for each depth of
# path and a `granted` rule for each kind of condition that the policy has, and no others.
package bench

held contains "any"

held contains role if some role in data.index.workloads[input.workload]

held contains role if {
	groups := data.index.groups[input.jwt.iss]
	some group in input.jwt.groups
	some role in groups[group]
}

needs contains "nothing"

needs contains "workload" if input.workload

segments := split(substring(input.path, 1, -1), "/")

depth := count(segments)

default allow := false

allow if {
	granted.allow
	not granted.deny
}
