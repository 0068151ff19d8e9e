;; A11: one host call with a million headers, each of empty strings.
(func $run
  (call $reserve (i32.const 60000000))
  (call $enqueue (i32.const 16) (i32.const 6) (i32.const 16) (i32.const 6)
                 (i32.const 4194304) (i32.const 1000000) (i32.const 0) (i32.const 0) (i32.const 512)))
