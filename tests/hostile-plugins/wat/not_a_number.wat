;; A16: traps unless a NaN has the one form that it may have, on every machine.
(func $run
  (if (i64.ne (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0)))
              (i64.const 0x7ff8000000000000)) (then unreachable))
  (if (i64.ne (i64.reinterpret_f64 (f64.sub (f64.const inf) (f64.const inf)))
              (i64.const 0x7ff8000000000000)) (then unreachable))
  (if (i32.ne (i32.reinterpret_f32 (f32.sqrt (f32.const -1))) (i32.const 0x7fc00000))
    (then unreachable)))
