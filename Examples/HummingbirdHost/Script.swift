/// The part of the application that is written in SX. A real one would read it from a file.
let script = """
  ; stock is a function of the Swift program, which has to wait for it.
  (define (article request)
    (let ((name (dream-param request :name))
          (count (otel/with-span "look up" {:article name} (fn () (stock name)))))
      (if (nil? count)
          (host/error 404 (str "no " name))
          (host/ok {:article name :count count}))))

  (define (ticks request)
    (dream-stream
      (fn (write)
        (for-each (fn (n) (write (str n "\\n")) (sleep 10)) (range 3)))))

  (define app
    (host/make-app
      (list (dream-get "/articles/:name" article)
            (dream-get "/ticks" ticks))))

  (fn (request) (host/answer app request))
  """
