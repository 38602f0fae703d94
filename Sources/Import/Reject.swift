/// Why a row is not imported. It goes to a file that others read: no value of a patient is in it,
/// only ids.
struct Reject: Error {
  var id: String?
  let reason: String

  init(id: String? = nil, _ reason: String) {
    self.id = id
    self.reason = reason
  }
}
