;; A07: loops forever before it is even called, while it is instantiated.
(func $run)
(func $start (loop $again (br $again)))
(start $start)
