;; A10: traces a text that lies outside its memory.
(func $run (call $trace (i32.const -16) (i32.const 1024)))
