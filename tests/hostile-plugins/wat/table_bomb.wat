;; A05: makes a table as large as it gets.
(table $table 1 funcref)
(func $run
  (loop $again
    (drop (table.grow $table (ref.null func) (i32.const 1000)))
    (br $again)))
