unit_test(crc32c_test USES base journal)
unit_test(journal_writer_test USES base policy text journal)
unit_test(journal_reader_test USES base policy text journal)
unit_test(sequence_check_test USES base policy text journal)
