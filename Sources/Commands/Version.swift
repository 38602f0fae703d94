/// The version of this project; all its programs have the same (`--version`).
public let projectVersion = "1.0.0-beta"

/// How a shell learns to complete a program's command line with the Tab key; for the program's `--help`.
public func completionAdvice(_ program: String) -> String {
  "Tab completion: '\(program) --generate-completion-script bash' (or zsh, or fish) prints a script for the shell."
}
