import { COMPLETE } from '../declaration.ts';

/** The shells that are served. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Bash from 3.2 on, which macOS has: it knows no `mapfile` and no `compopt`. */
const BASH = `# Completions of stowage for Bash. In ~/.bashrc:
#   source <(stowage completion bash)
_stowage() {
  local program=\${COMP_WORDS[0]} kind='' lead='' line
  [[ $program == */* ]] || program=stowage
  COMPREPLY=()
  {
    IFS= read -r kind
    IFS= read -r lead
    while IFS= read -r line; do
      [[ -z $line ]] || COMPREPLY+=("$line")
    done
  } <<<"$("\${program/#\\~\\//$HOME/}" ${COMPLETE} bash "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)"
  if [[ $kind == files || $kind == folders ]]; then
    local flag=-f
    [[ $kind == files ]] || flag=-d
    while IFS= read -r line; do
      [[ -z $line ]] || COMPREPLY+=("$line")
    done <<<"$(compgen $flag -- "$lead")"
    ! type compopt >/dev/null 2>&1 || compopt -o filenames +o nospace 2>/dev/null
  fi
}
complete -o nospace -F _stowage stowage
`;

const ZSH = `#compdef stowage
# Completions of stowage for zsh. As a file _stowage in a folder of $fpath, or in ~/.zshrc behind compinit:
#   source <(stowage completion zsh)
_stowage() {
  local program=\${words[1]} kind lead line value
  local -a lines ended open endedTexts openTexts
  [[ $program == */* ]] || program=stowage
  lines=("\${(@f)$(\${~program} ${COMPLETE} zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  kind=\${lines[1]} lead=\${lines[2]}
  [[ -z $lead ]] || compset -p \${#lead}
  case $kind in
    files) _files ;;
    folders) _files -/ ;;
    words)
      for line in "\${(@)lines[3,-1]}"; do
        [[ -n $line ]] || continue
        value=\${line%%$'\\t'*}
        if [[ $value == */ ]]; then
          open+=("$value") openTexts+=("\${line/$'\\t'/  -- }")
        else
          ended+=("$value") endedTexts+=("\${line/$'\\t'/  -- }")
        fi
      done
      local found=1
      (( $#open )) && compadd -S '' -d openTexts -a open && found=0
      (( $#ended )) && compadd -d endedTexts -a ended && found=0
      return found
      ;;
  esac
}
if [[ $funcstack[1] == _stowage ]]; then
  _stowage "$@"
else
  compdef _stowage stowage
fi
`;

const FISH = `# Completions of stowage for fish: save it as ~/.config/fish/completions/stowage.fish
function __stowage_complete
    set -l word (commandline -ct)
    # The word at the cursor is as it is typed, its last quote perhaps open yet; those before it are without their quotes.
    set -l literal (string unescape -- "$word"; or string unescape -- "$word"'"'; or string unescape -- "$word'"; or echo -- "$word")
    set -l words (commandline -opc) "$literal"
    set -l program stowage
    string match -q '*/*' -- $words[1]; and set program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l lines ($program ${COMPLETE} fish $words[2..-1] 2>/dev/null)
    set -l lead $lines[2]
    switch "$lines[1]"
        case files folders
            set -l typed (string sub -s (math (string length -- "$lead") + 1) -- "$word")
            set -l found (__fish_complete_path "$typed" '')
            test "$lines[1]" = folders; and set found (__fish_complete_directories "$typed" '')
            for file in $found
                echo -- $lead$file
            end
        case words
            if test (count $lines) -gt 2
                printf '%s\\n' $lines[3..-1]
            end
    end
end
complete -c stowage -f -a '(__stowage_complete)'
`;

/** The script that makes a shell complete `stowage`. It asks the program itself, so that it never is out of date. */
export function completionScript(shell: Shell): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}
