;; Asks for outbound HTTP again and again, and is refused each time.
(func $run
  (loop $again
    (call $enqueue (i32.const 16) (i32.const 6) (i32.const 16) (i32.const 6)
                   (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512))
    (br $again)))
