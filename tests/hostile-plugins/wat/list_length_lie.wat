;; A10: returns a list that claims 2^32-1 changes.
(func $run
  (i32.store (i32.const 1028) (i32.const 2048))
  (i32.store (i32.const 1032) (i32.const -1)))
