import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Which addresses there are, and what may be done there.
enum Routes {
  private static let pages: Set<String> = [
    "/", "/recall", "/health", "/ready", "/metrics", "/style.css", "/icon.svg",
    "/api/v1/openapi.json", "/api/v1/me", "/api/v1/periods", "/api/v1/facilities",
    "/api/v1/reports",
  ]

  /// What reads nothing or has a connection of its own, and is wanted most when all else is busy.
  static let answersAtOnce: Set<String> = [
    "/health", "/ready", "/metrics", "/style.css", "/icon.svg",
  ]

  /// - Returns: nil where there is nothing.
  static func methods(at path: String) -> String? {
    switch path {
    case "/login": "GET, HEAD, POST"
    case "/logout": "POST"
    case _ where pages.contains(path) || isReport(path): "GET, HEAD"
    default: nil
    }
  }

  private static func isReport(_ path: String) -> Bool {
    ["/api/v1/reports/", "/api/v1/lists/"].contains { folder in
      path.hasPrefix(folder) && !path.dropFirst(folder.count).contains("/")
    }
  }
}

extension HTTPFields {
  /// A header by its name as text.
  mutating func set(_ name: String, _ value: String) {
    if let name = HTTPField.Name(name) { self[name] = value }
  }
}

extension Response {
  static func page(_ page: HTML, status: HTTPResponse.Status = .ok) -> Response {
    .text(page.text, "text/html; charset=utf-8", status: status)
  }

  static func text(
    _ text: String, _ type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }

  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let bytes = (try? encoder.encode(value)) ?? Data("{}".utf8)
    return .text(
      String(decoding: bytes, as: UTF8.self), "application/json; charset=utf-8", status: status)
  }

  /// To another page, which is then asked for with GET.
  static func see(_ link: Link) -> Response {
    Response(status: .seeOther, headers: [.location: link.text])
  }
}
