;; A14: refuses if it finds anything in memory that it did not write, then leaves a secret.
(func $run
  (local $at i32)
  (call $reserve (i32.const 8388608))
  (local.set $at (i32.const 1048576))
  (loop $next
    (if (i32.load (local.get $at)) (then unreachable))
    (i32.store (local.get $at) (i32.const 0x5ec2e7))
    (local.set $at (i32.add (local.get $at) (i32.const 4096)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 8388608)))))
