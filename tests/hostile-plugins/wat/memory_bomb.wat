;; A04: takes memory, 1 MiB at a time, and writes to all of it.
(func $run
  (local $at i32)
  (loop $again
    (local.set $at (i32.mul (memory.grow (i32.const 16)) (i32.const 65536)))
    (memory.fill (local.get $at) (i32.const 1) (i32.const 1048576))
    (br $again)))
