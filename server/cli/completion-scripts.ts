/** What a shell is told, so that it asks `millrace complete` for the words. */

const BASH = `_millrace() {
  local IFS=$'\\n'
  COMPREPLY=($(millrace complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _millrace millrace
`;

const ZSH = `#compdef millrace
_millrace() {
  local -a found
  found=("\${(@f)$(millrace complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  if (( $#found )); then compadd -- $found; else _files; fi
}
compdef _millrace millrace
`;

const FISH = `function __millrace_complete
  set -l words (commandline -opc)
  set -l found (millrace complete -- $words[2..-1] "$(commandline -ct)" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c millrace -f -a '(__millrace_complete)'
`;

export const SHELLS = { bash: BASH, zsh: ZSH, fish: FISH };
export type Shell = keyof typeof SHELLS;
