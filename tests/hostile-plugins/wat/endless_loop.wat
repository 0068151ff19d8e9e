;; A01: loops forever and never calls the host.
(func $run (loop $again (br $again)))
