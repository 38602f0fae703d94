import CZlib
import Foundation

/// One gzip member.
func gzip(_ bytes: Data, in folder: Folder) throws -> Data {
  let path = folder.path + "/" + UUID().uuidString
  let file = gzopen(path, "wb")
  _ = bytes.withUnsafeBytes { gzwrite(file, $0.baseAddress, UInt32($0.count)) }
  gzclose_w(file)
  return try Data(contentsOf: URL(fileURLWithPath: path))
}

func gzip(_ text: String, in folder: Folder) throws -> Data {
  try gzip(Data(text.utf8), in: folder)
}
