internal import HotlineCore
internal import HotlineWire

extension FuzzTarget {
  func checkJSON(_ document: [UInt8]) throws(BrokenProperty) {
    let own = verdict(document)
    try hold(walkedVerdict(document) == own, "the cursor and skipping differ: \(own as Any)")
    let isAccepted = ReferenceJSON.accepts(document)
    try hold(
      isAccepted == (own == nil), "the grammar's verdict is \(isAccepted), ours \(own as Any)")
    try checkShifted(document, own)
    if let own {
      try hold((0...document.count).contains(own.offset), "an offset outside: \(own)")
      try checkFollowed(document, own)
    } else {
      try checkWrapped(document)
      try checkString(document)
    }
  }

  /// White space before a document moves the error and changes nothing else.
  private func checkShifted(_ document: [UInt8], _ own: JSONError?) throws(BrokenProperty) {
    for count in 1...8 {
      let shifted = verdict([UInt8](repeating: 0x20, count: count) + document)
      // A byte order mark is one at the beginning only.
      if own?.reason == .byteOrderMark {
        try hold(
          shifted == JSONError(.valueExpected, at: count), "shifted by \(count): \(shifted as Any)")
        continue
      }
      try hold(
        shifted?.reason == own?.reason && shifted?.offset == own.map { $0.offset + count },
        "\(own as Any), but shifted by \(count) \(shifted as Any)")
    }
  }

  /// What is wrong stays so, whatever follows, unless the document was too short.
  private func checkFollowed(_ document: [UInt8], _ own: JSONError) throws(BrokenProperty) {
    switch own.reason {
    case .documentEnds, .documentEmpty: return
    // A character, or a byte order mark, may yet be completed.
    case .utf8Invalid, .valueExpected: guard own.offset + 4 <= document.count else { return }
    default: break
    }
    for more in ["\"", "0", "}", "]", " ", "\\", "é"] {
      let followed = verdict(document + Array(more.utf8))
      try hold(followed == own, "\(own), but followed by \(more) \(followed as Any)")
    }
  }

  /// A valid document is one as an element and as a member; cut short, a container is none.
  private func checkWrapped(_ document: [UInt8]) throws(BrokenProperty) {
    try hold(verdict([0x5B] + document + [0x5D], depthMax: 65) == nil, "no element")
    let member = Array("{\"a\":".utf8) + document + Array("}".utf8)
    try hold(verdict(member, depthMax: 65) == nil, "no member")
    guard let last = document.lastIndex(where: { $0 == 0x5D || $0 == 0x7D || $0 == 0x22 }),
      document[(last + 1)...].allSatisfy({ " \t\r\n".utf8.contains($0) })
    else { return }
    var chance = InputChance(document)
    for _ in 0..<8 {
      let cut = Array(document[..<chance.below(last + 1)])
      try hold(verdict(cut) != nil, "cut to \(cut.count) it is still valid")
    }
  }

  /// A string that is the whole document comes back from decoding and writing.
  private func checkString(_ document: [UInt8]) throws(BrokenProperty) {
    guard let decoded = decodedString(document) else { return }
    try hold(decoded.count <= document.count, "decoded, it is longer")
    var written: [UInt8] = []
    JSONString.append(decoded, to: &written)
    try hold(verdict(written) == nil, "written anew it is no JSON: \(shown(written))")
    try hold(decodedString(written) == decoded, "written anew it is another: \(shown(written))")
  }

  private func decodedString(_ document: [UInt8]) -> [UInt8]? {
    document.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      return (try? scanner.skipValue())?.text?.decoded(in: bytes).bytes
    }
  }
}
