;; Traces 40 MiB at once.
(func $run
  (call $reserve (i32.const 41943040))
  (call $trace (i32.const 0) (i32.const 41943040)))
