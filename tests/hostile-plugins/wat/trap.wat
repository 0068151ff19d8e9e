;; Traps in a function of its own.
(func $run (call $secret_function))
(func $secret_function unreachable)
