;; Not hostile: one host call, one trace line, no changes.
(func $run
  (call $create)
  (call $trace (i32.const 16) (i32.const 6)))
