;; Uses most of its stack and calls the host at the bottom, where another plug-in does the same.
(func $run (call $deeper (i64.const 8000)))
(func $deeper (param i64)
  (if (i64.eqz (local.get 0))
    (then (call $create))
    (else
      (call $deeper (i64.sub (local.get 0) (i64.const 1)))
      (global.set $heap (global.get $heap)))))
