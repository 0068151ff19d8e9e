;; Traces bytes that are no text.
(func $run
  (memory.fill (i32.const 4096) (i32.const 255) (i32.const 8))
  (call $trace (i32.const 4096) (i32.const 8)))
