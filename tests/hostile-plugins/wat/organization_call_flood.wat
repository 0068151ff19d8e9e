;; Calls the organization service without end.
(func $run (loop $again (call $create) (br $again)))
