internal import HotlineCore

/// Members that commands alone have: read when the type is known, so that requests pay nothing.
extension ClientMessageReader {
  func watch() throws(HotlineError) -> ClientMessage {
    var watch = WatchOptions()
    let range = 0...limits.watchMillisecondsMax
    if let every = try integer("every_ms", in: range) {
      guard every == 0 || every >= limits.watchMillisecondsMin else {
        throw .invalidRequest(
          "every_ms takes 0 for no status lines, or \(limits.watchMillisecondsMin) to "
            + "\(limits.watchMillisecondsMax)", param: "every_ms")
      }
      watch.everyMilliseconds = every
    }
    if let requests = try member("requests") {
      guard requests.kind == .true || requests.kind == .false else {
        throw .invalidRequest(
          "requests is \(requests.kind.noun); it takes true or false", param: "requests")
      }
      watch.showsRequests = requests.kind == .true
    }
    return .watch(watch, echo: idSpelling)
  }

  func cancelOfOther() throws(HotlineError) -> ClientMessage {
    guard let id, let idSpelling else {
      throw .invalidRequest(
        "request_id is missing; hotline.cancel takes that of an open request, as hotline.status "
          + "lists it", param: "request_id")
    }
    guard let client = try integer("client", in: 1...Int.max) else {
      throw .invalidRequest(
        "client is missing; hotline.cancel takes the number of the request's client, as "
          + "hotline.status lists it", param: "client")
    }
    return .cancelOther(ClientNumber(UInt64(client)), id, spelling: idSpelling)
  }

  private func integer(
    _ name: StaticString, in range: ClosedRange<Int>
  ) throws(HotlineError) -> Int? {
    guard let value = try member(name) else { return nil }
    let number = Int(String(decoding: bytes[value.range], as: UTF8.self))
    guard value.kind == .number, let number, range.contains(number) else {
      throw .invalidRequest(
        "\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound)",
        param: "\(name)")
    }
    return number
  }

  /// The member of the line itself; nil where it is missing or null.
  private func member(_ name: StaticString) throws(HotlineError) -> JSONValue? {
    var values: [JSONValue] = []
    var scanner = JSONScanner(bytes, depthMax: limits.depthMax)
    do throws(JSONError) {
      try scanner.enterObject()
      while let candidate = try scanner.nextName() {
        let value = try scanner.skipValue()
        if candidate.equals(name, in: bytes) { values.append(value) }
      }
    } catch {
      preconditionFailure("a line that was read cannot be read again: \(error)")
    }
    guard values.count <= 1 else {
      throw .invalidRequest("\(name) stands more than once; it takes one value", param: "\(name)")
    }
    return values.first.flatMap { $0.kind == .null ? nil : $0 }
  }
}
