# The small files that stand alone: formats, folders, watches, sockets.
unit_test(err_test USES base)
unit_test(journal_format_test USES base policy text journal)
unit_test(journal_segment_test USES base policy text journal)
unit_test(journal_folder_test USES base policy text journal)
unit_test(listen_socket_test USES base policy text identity config server)
unit_test(file_set_test USES base text state)
unit_test(file_watch_test USES base state)
unit_test(subject_key_test USES base policy text identity config state)
# ThreadSanitizer would judge libzmq, whose synchronisation it cannot see.
if(TARGET ship AND NOT BARTIZAN_SANITIZE MATCHES "thread")
  unit_test(ship_position_test USES base policy text journal ship)
endif()
