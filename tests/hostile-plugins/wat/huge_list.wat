;; A11: one host call with a list of 400,000 parameters.
(func $run
  (call $reserve (i32.const 60000000))
  (call $execute (i32.const 16) (i32.const 6) (i32.const 65536) (i32.const 400000) (i32.const 512)))
