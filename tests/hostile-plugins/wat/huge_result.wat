;; A11: returns 400,000 changes.
(func $run
  (call $reserve (i32.const 60000000))
  (i32.store (i32.const 1028) (i32.const 1048576))
  (i32.store (i32.const 1032) (i32.const 400000)))
