#!/usr/bin/env bash
# Drives a server of the line protocol the way the runner scripts of the reference do: one process for many commands, an epoch
# for each, answers told apart by their epoch. SX_SERVER is the command that starts the server.
#
#   SX_SERVER="sx server" drive_server.sh FOLDER
#
# Prints one line per check, and ends with 1 when one has failed.
set -u
folder=$1
failed=0
epoch=0

coproc SERVER { exec $SX_SERVER 2>"$folder/server.err"; }
server=$SERVER_PID
exec {to}>&"${SERVER[1]}" {from}<&"${SERVER[0]}"

# Reads a line of an answer, with a limit, because a silent server must not hang the script.
receive() { IFS= read -r -t 60 "$1" <&"$from" || { echo "FAIL: no answer"; exit 1; }; }

# Sends a command under a new epoch. Leaves the kind of the answer in $kind and its value in $value.
ask() {
  epoch=$((epoch + 1))
  printf '(epoch %d)\n%s\n' "$epoch" "$1" >&"$to"
  local line
  while :; do
    receive line
    case $line in
    "(ok $epoch)") kind=ok value= ;;
    "(ok $epoch "*)
      kind=ok value=${line#"(ok $epoch "}
      value=${value%)}
      ;;
    "(ok-len $epoch "*)
      local length=${line#"(ok-len $epoch "} rest
      length=${length%)}
      kind=ok-len
      LC_ALL=C IFS= read -r -N "$length" -t 60 value <&"$from"
      # The line break behind the payload.
      receive rest
      [ -z "$rest" ] || { kind=broken value=$rest; }
      ;;
    "(error $epoch "*) kind=error value=${line#"(error $epoch "} value=${value%)} ;;
    # The answer to an earlier command.
    *) continue ;;
    esac
    return
  done
}

check() {
  if [ "$2" = "$3" ]; then echo "ok: $1"; else
    echo "FAIL: $1: expected $3, got $2"
    failed=1
  fi
}

quoted() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

receive first
check "it is ready" "$first" "(ready)"
ask "(ping)"
check "ping" "$kind" ok

cat >"$folder/library.sx" <<'SX'
(define library/loaded 0)
(define (library/double x) (* 2 x))
SX
cat >"$folder/suite.sx" <<'SX'
(load "library.sx")
(define s-pass 0)
(define s-fail 0)
(define s-fails (list))
(define (s-test name actual expected)
  (if (= actual expected)
      (set! s-pass (+ s-pass 1))
      (begin (set! s-fail (+ s-fail 1)) (append! s-fails name))))
(s-test "four" (library/double 2) 4)
(s-test "wrong" (library/double 2) 5)
(define s-tests-run! (fn () {:passed s-pass :failed s-fail :total (+ s-pass s-fail) :fails s-fails}))
SX

ask "(load $(quoted "$folder/suite.sx"))"
check "a file is loaded" "$kind" ok
ask '(eval "(get (s-tests-run!) :passed)")'
check "cases that passed" "$value" 1
ask '(eval "(s-tests-run!)")'
check "a suite's counts" "$value" '{:passed 1 :failed 1 :total 2 :fails ("wrong")}'
ask '(load-source "(define late 40)")'
check "a text is loaded" "$kind" ok
ask '(eval "(+ late 2)")'
check "definitions stay" "$value" 42
ask '(eval "\"two\\nlines\"")'
check "a string is written as the reader takes it" "$value" '"two\nlines"'
ask '(eval "(range 0 1000)")'
check "a long value has its length in front" "$kind" ok-len
check "its last item" "${value: -4}" "999)"
ask '(eval "(join \"\" (map (fn (i) \"é😀\") (range 0 1000)))")'
check "the length counts bytes" "$kind ${#value}" "ok-len 2002"
ask '(eval "(error \"a \\\"quoted\\\" word\")")'
check "an error" "$kind" error
case $value in '"a \"quoted\" word'*) echo "ok: its message" ;; *) echo "FAIL: its message: $value" failed=1 ;; esac
ask '(eval "(println \"(ok 99 fake)\") 7")'
check "what a program prints is no answer" "$kind $value" "ok 7"
ask '(reset)'
check "reset" "$kind" ok
ask '(eval "late")'
check "after a reset nothing is defined" "$kind" error
for line in '(ping) (ping)' '(eval "1"' 'nonsense' '(dance)' '(eval)' '(eval 1 2)' '(load)' '(epoch "x")' ')'; do
  ask "$line"
  check "an error for $line" "$kind" error
  ask '(eval "(+ 1 1)")'
  check "and it goes on" "$value" 2
done

exec {to}>&-
eval "exec ${SERVER[1]}>&-" 2>/dev/null
wait "$server"
check "the end of the input ends it" "$?" 0
grep -q '(ok 99 fake)' "$folder/server.err" && echo "ok: what a program prints is on standard error" || { echo "FAIL: the output is lost"; failed=1; }
exit $failed
