;; Reads outside its memory.
(func $run (drop (i64.load (i32.const -8))))
