;; Sends a request whose message name has 900 KiB: less than one transfer may carry.
(func $run
  (call $reserve (i32.const 1000000))
  (memory.fill (i32.const 4096) (i32.const 97) (i32.const 921600))
  (call $execute (i32.const 4096) (i32.const 921600) (i32.const 0) (i32.const 0) (i32.const 512))
  ;; The answer must be a fault; a plug-in that gets another one traps.
  (if (i32.eqz (i32.load8_u (i32.const 512))) (then unreachable)))
