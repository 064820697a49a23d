# Reads beginnings of command lines, a line each, and prints for each what zsh offers at its end, joined by blanks.
# usage: zsh -f zsh_offers.zsh FOLDER, which has the functions of completions
zmodload zsh/zpty
zpty shell zsh -f -i
type() { zpty -w shell "$1" }
type "PS1= PS2=; stty -echo; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
type 'compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-[OAD]* ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -A offered "$@"
  builtin compadd "$@"
  print -r -- "offer:${(j: :)offered}"
}'
type 'finish() { zle -I; print -r -- "end:"; BUFFER= }; zle -N finish; bindkey "^G" finish; bindkey "^I" complete-word'
# What is typed is shown too, so the words that are waited for stand there otherwise.
type 'print -r -- "be""gin:"'
local line shown
until [[ $shown == *begin:* ]]; do zpty -r shell shown || exit 1; done
while IFS= read -r line; do
  zpty -n -w shell "$line"$'\t\a'
  words=()
  while zpty -r shell shown; do
    shown=${shown%%$'\r\n'*}
    [[ $shown == *offer:* ]] && words+=(${=${shown#*offer:}})
    [[ $shown == *end:* ]] && break
  done
  print -r -- "${(j: :)words}"
done
zpty -d shell
