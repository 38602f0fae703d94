import RollupStore

/// What to say of a name that there is not.
func nearestMessage(_ kind: String, _ name: String, among names: [String]) -> String {
  let near = nearest(to: name, among: names)
  return "'\(name)' is not a \(kind). "
    + (near.isEmpty
      ? "They are \(names.joined(separator: ", "))." : "Near it: \(near.joined(separator: ", ")).")
}
