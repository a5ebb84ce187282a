unit_test(log_test USES base policy observe)
unit_test(metrics_test USES base policy observe)
