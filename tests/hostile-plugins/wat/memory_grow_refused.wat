;; A04: asks for 4 GiB at once, again and again, and does not care about the answer.
(func $run (loop $again (drop (memory.grow (i32.const 65535))) (br $again)))
