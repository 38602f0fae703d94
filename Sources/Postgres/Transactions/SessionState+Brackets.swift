// The statements that travel with the next one. See `SessionState.bracket`.
extension SessionState {
  /// - Returns: false when a transaction is open already.
  mutating func openTransaction(_ begin: String) -> Bool {
    guard !isTransactionOpen else { return false }
    isTransactionOpen = true
    isCommitted = false
    lastSavepoint = 0
    bracket = [begin]
    return true
  }

  mutating func closeTransaction() {
    isTransactionOpen = false
    isCommitted = false
    bracket.removeAll()
  }

  /// - Returns: the savepoint's name, which no other of the transaction has.
  mutating func openSavepoint() -> String {
    lastSavepoint += 1
    let name = "sp\(lastSavepoint)"
    bracket.append("SAVEPOINT \(name)")
    return name
  }

  mutating func releaseSavepoint(_ name: String) {
    if !forgetSavepoint(name) { bracket.append("RELEASE SAVEPOINT \(name)") }
  }

  /// - Returns: whether the savepoint had never been sent, so that nothing is left to undo.
  mutating func forgetSavepoint(_ name: String) -> Bool {
    guard let index = bracket.firstIndex(of: "SAVEPOINT \(name)") else { return false }
    bracket.removeSubrange(index...)
    return true
  }
}
