;; A16: traps unless an operation that machines do differently gives the one result that it may have.
(func $run
  (if (i8x16.extract_lane_u 0
        (i8x16.relaxed_swizzle
          (v128.const i8x16 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7)
          (v128.const i8x16 16 16 16 16 16 16 16 16 16 16 16 16 16 16 16 16)))
    (then unreachable)))
