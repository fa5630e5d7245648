import HotlineCore
import HotlineWire

/// One request of a file of requests.
struct Job: Hashable {
  /// Its `request_id`, told apart as the daemon does: `1` and `"1"` differ, `"a"` and `"\u0061"` do
  /// not.
  var key: String
  /// With its id and LF.
  var line: [UInt8]

  /// - Throws: `.usage` if the line is no request, with its number and `name` of the input.
  init(_ input: InputLines.Line, of name: String) throws(CommandFailure) {
    let place = "line \(input.number) of \(name)"
    let outcome = input.bytes.withUnsafeBytes { bytes -> Result<Job, Refusal> in
      guard let view = JSONView(line: bytes) else { return .failure(.noObject) }
      guard view["type"]?.string == "response.create" else { return .failure(.noRequest) }
      guard view.hasMember("request_id") else {
        return .success(Job(line: Array(view.bytes), number: input.number))
      }
      guard let key = view["request_id"]?.requestKey else { return .failure(.wrongID) }
      return .success(Job(key: key, line: input.bytes + [0x0A]))
    }
    switch outcome {
    case .success(let job): self = job
    case .failure(let refusal): throw CommandFailure(.usage, refusal.sentence(place))
    }
  }

  private init(key: String, line: [UInt8]) {
    self.key = key
    self.line = line
  }

  /// Gives an id to a request that has none.
  private init(line: [UInt8], number: Int) {
    let id = "\"line-\(number)\""
    key = id
    self.line = Array("{\"request_id\":\(id),".utf8) + line.dropFirst() + [0x0A]
  }

  private enum Refusal: Error {
    case noObject, noRequest, wrongID

    func sentence(_ place: String) -> String {
      switch self {
      case .noObject: "\(place) is not one JSON object; correct it"
      case .noRequest:
        "\(place) is no request (\"type\":\"response.create\"); send other lines without --jobs"
      case .wrongID:
        "\(place) has a request_id that is neither a string nor an integer; correct it"
      }
    }
  }
}

extension JSONView {
  /// Of a `request_id`; nil for what is none.
  var requestKey: String? {
    switch kind {
    // Text with what is not Unicode kept apart: no two ids share a key.
    case .string:
      var scanner = JSONScanner(bytes)
      return (try? scanner.skipValue())?.text.map { text in
        String(decoding: JSONString.spelling(of: text.decoded(in: bytes)), as: UTF8.self)
      }
    case .number:
      let isInteger = bytes.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
      return isInteger ? String(decoding: bytes, as: UTF8.self) : nil
    case .object, .array, .true, .false, .null: return nil
    }
  }

  /// Whether there is such a member, null or not.
  func hasMember(_ name: String) -> Bool { members.contains { $0.name == name } }
}

/// Requests of an input, none twice.
struct JobInput {
  private(set) var lines: InputLines
  private var numbers: [String: Int] = [:]

  init(_ lines: InputLines) {
    self.lines = lines
  }

  var isRead: Bool { lines.isRead }

  mutating func read() throws(CommandFailure) { try lines.read() }

  /// The next request of what has been read; nil if there is none, or none yet.
  ///
  /// - Throws: `.usage` for a line that is no request or has an earlier one's id.
  mutating func next() throws(CommandFailure) -> Job? {
    guard let line = try lines.next() else { return nil }
    let job = try Job(line, of: lines.name)
    if let earlier = numbers.updateValue(line.number, forKey: job.key) {
      throw CommandFailure(
        .usage,
        "line \(line.number) of \(lines.name) has the request_id of line \(earlier); give each "
          + "its own")
    }
    return job
  }
}
