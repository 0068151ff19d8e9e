;; Returns a fault with a message of 40 MiB.
(func $run
  (call $reserve (i32.const 41943040))
  (i32.store8 (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1032) (i32.const 4096))
  (i32.store (i32.const 1036) (i32.const 40000000)))
