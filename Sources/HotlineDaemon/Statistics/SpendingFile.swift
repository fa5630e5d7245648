import HotlineCore
import HotlineSystem
import HotlineWire

/// The file in which the day's spending survives the daemon.
///
/// Any thread; blocks on the disk. A write replaces the file whole or not at all.
struct SpendingFile: Sendable {
  static let name = "spending.json"
  private static let bytesMax = 1 << 20

  let path: String

  /// In ``Surroundings/stateDirectory``; nil where that is not known.
  init?(in surroundings: Surroundings) {
    guard let directory = surroundings.stateDirectory else { return nil }
    path = directory + "/" + Self.name
  }

  /// Before anything is stored.
  ///
  /// - Returns: nothing spent where there is no file.
  /// - Throws: why what is there cannot be read.
  func load(in surroundings: Surroundings) throws(Unreadable) -> Spending {
    AtomicFile.removeLeftovers(of: path)
    switch surroundings.readFile(path, Self.bytesMax) {
    case .success(let bytes):
      guard let spending = Spending(json: bytes) else {
        throw Unreadable(reason: "it is not what the daemon writes")
      }
      return spending
    case .failure(.missing): return Spending()
    case .failure(.unreadable(let reason)): throw Unreadable(reason: reason)
    case .failure(.notRegular): throw Unreadable(reason: "it is not a regular file")
    case .failure(.tooLarge): throw Unreadable(reason: "it is too large")
    }
  }

  struct Unreadable: Error {
    let reason: String
  }

  func store(_ spending: Spending) throws(FileFailure) {
    try AtomicFile.replace(path, with: spending.json)
  }
}

extension Spending {
  /// One line.
  var json: [UInt8] {
    var bytes: [UInt8] = []
    LocalLine.appendLine(to: &bytes) { line in
      line.member("version", 1)
      line.member("date", date)
      line.name("usd")
      line.decimal(total, decimalsMax: 9)
      line.name("usd_by_tag")
      line.beginObject()
      for (tag, cost) in tags.sorted(by: { $0.key < $1.key }) {
        line.name(text: tag)
        line.decimal(cost, decimalsMax: 9)
      }
      line.endObject()
    }
    return bytes
  }

  /// Nil for what is not of this version, or has anything in it that makes no sense.
  init?(json: [UInt8]) {
    var spending = Spending()
    var isKnown = false
    let isRead = json.withUnsafeBytes { bytes in
      do throws(JSONError) {
        var scanner = JSONScanner(bytes)
        try spending.read(&scanner, in: bytes, &isKnown)
        try scanner.finish()
        return true
      } catch {
        return false
      }
    }
    guard isRead, isKnown, !spending.date.isEmpty else { return nil }
    self = spending
  }

  private mutating func read(
    _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer, _ isKnown: inout Bool
  ) throws(JSONError) {
    try scanner.enterObject()
    var date = ""
    var total: Double?
    var tags: [String: Double] = [:]
    while let name = try scanner.nextName() {
      if name.equals("usd_by_tag", in: bytes), try scanner.peekKind() == .object {
        try scanner.enterObject()
        while let tag = try scanner.nextName() {
          let cost = Self.amount(try scanner.skipValue(), in: bytes)
          guard let cost, tags.count < Self.tagsMax else { continue }
          tags[tag.decoded(in: bytes).description] = cost
        }
        continue
      }
      let value = try scanner.skipValue()
      if name.equals("version", in: bytes) {
        isKnown = bytes[value.range].elementsEqual("1".utf8)
      } else if name.equals("date", in: bytes) {
        date = value.text?.decoded(in: bytes).description ?? ""
      } else if name.equals("usd", in: bytes) {
        total = Self.amount(value, in: bytes)
      }
    }
    guard let total else { return }
    self = Spending(date: date, total: total, tags: tags)
  }

  private static func amount(_ value: JSONValue, in bytes: UnsafeRawBufferPointer) -> Double? {
    guard value.kind == .number,
      let amount = Double(String(decoding: bytes[value.range], as: UTF8.self)),
      amount.isFinite, amount >= 0
    else { return nil }
    return amount
  }
}
