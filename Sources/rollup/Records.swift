import CSV
import Commands

extension Terminal {
  /// A record of CSV, with the line end of a terminal.
  static func print(record fields: [String]) {
    let bytes = CSVWriter(raw: true).record(fields.map { .text($0) })
    print(String(decoding: bytes.dropLast(2), as: UTF8.self))
  }
}
