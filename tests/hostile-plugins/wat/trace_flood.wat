;; Traces 1 KiB without end.
(func $run (loop $again (call $trace (i32.const 2048) (i32.const 1024)) (br $again)))
