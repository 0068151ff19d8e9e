;; Returns a fault with a code of its own and an escape sequence for terminals in its message.
(data (i32.const 4096) "no\1b[2Jway")
(func $run
  (i32.store8 (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1028) (i32.const 0x12345))
  (i32.store (i32.const 1032) (i32.const 4096))
  (i32.store (i32.const 1036) (i32.const 9))
  (i32.store16 (i32.const 1040) (i32.const 422)))
