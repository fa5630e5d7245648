import HotlineWire

/// Strikes secrets out of what a server said, and makes the rest fit to be logged and shown.
///
/// A server may say the key back: whole, in another case, or cut anywhere by itself, by the
/// network or by our own limits. So not only whole secrets are struck out but every run of
/// ``runBytes`` bytes that a secret contains, and at the end of a text the beginning of a secret.
/// Works on bytes, before anything is cut or replaced. Pure value; any thread.
package struct SecretRedactor: Sendable {
  /// Shorter secrets are not struck out: they would strike out ordinary text, and so tell
  /// themselves. Also the shortest beginning of a secret that is struck out at a text's end.
  package static let secretBytesMin = 4
  /// Shortest piece from within a secret that is struck out.
  package static let runBytes = 8

  /// Secrets in lower case.
  private let secrets: [ProtectedBytes]
  /// Which four bytes in a row may stand in one of them: a bit for each hash, from which no secret
  /// can be put together again.
  private var words = [UInt64](repeating: 0, count: wordBits / 64)
  private static let wordBits = 1 << 14

  /// Secrets of fewer than ``secretBytesMin`` bytes are left out.
  package init(_ secrets: [[UInt8]]) {
    self.init(protected: secrets.map { .copy(of: $0) })
  }

  init(protected secrets: [ProtectedBytes]) {
    self.secrets = secrets.filter { $0.count >= Self.secretBytesMin }.map { $0.lowercasedCopy() }
    for secret in self.secrets {
      for offset in 0...(secret.count - Self.secretBytesMin) {
        let bit = Self.bit(secret.bytes[offset...])
        words[bit / 64] |= 1 << (bit % 64)
      }
    }
  }

  /// How many bytes beyond a cut must be known, so that a secret across it is recognised.
  package var lookaheadBytes: Int { secrets.map(\.count).max() ?? 0 }

  /// `text` with each secret as `***`, cut to its first `bytesMax` bytes after that, control
  /// characters and what is not UTF-8 as `\xNN`.
  package func show(_ text: some Collection<UInt8>, bytesMax: Int = .max) -> String {
    let bytes = Array(text)
    let covered = coverage(bytes)
    var end = min(bytes.count, bytesMax)
    if end < bytes.count { end -= bytes[..<end].cutCharacterBytes(before: bytes[end]) }
    var shown = ""
    var index = 0
    while index < end {
      let isCovered = covered[index]
      let runEnd = covered[index..<end].firstIndex { $0 != isCovered } ?? end
      shown += isCovered ? "***" : visibleText(bytes[index..<runEnd])
      index = runEnd
    }
    return shown
  }

  private func coverage(_ bytes: [UInt8]) -> [Bool] {
    var covered = [Bool](repeating: false, count: bytes.count)
    guard !secrets.isEmpty, bytes.count >= Self.secretBytesMin else { return covered }
    let folded = bytes.map(lowercased)
    for start in 0...(bytes.count - Self.secretBytesMin) {
      let bit = Self.bit(folded[start...])
      guard words[bit / 64] & 1 << (bit % 64) != 0 else { continue }
      for secret in secrets {
        let end = start + longestMatch(folded[start...], in: secret.bytes)
        for index in start..<end { covered[index] = true }
      }
    }
    return covered
  }

  /// How many bytes at the beginning of `text` tell something of `secret`; 0 if none do.
  private func longestMatch(_ text: ArraySlice<UInt8>, in secret: UnsafeRawBufferPointer) -> Int {
    var longest = 0
    for offset in 0...(secret.count - Self.secretBytesMin) {
      var count = 0
      for (byte, own) in zip(text, secret[offset...]) {
        guard byte == own else { break }
        count += 1
      }
      guard count >= Self.secretBytesMin, count > longest else { continue }
      let isCutBeginning = offset == 0 && count == text.count
      if count >= min(Self.runBytes, secret.count) || isCutBeginning { longest = count }
    }
    return longest
  }

  /// Of the first four bytes (multiplicative hashing, Knuth, volume 3, 6.4).
  private static func bit(_ bytes: some Sequence<UInt8>) -> Int {
    let word = bytes.prefix(secretBytesMin).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return Int((word &* 2_654_435_769) >> 18)
  }
}

/// `bytes` as text: control, format and separator characters and what is not UTF-8 as `\xNN`, so
/// that no server can write to a terminal or forge a line of a log.
package func visibleText(_ bytes: some Collection<UInt8>) -> String {
  var text = ""
  var rest = bytes[...]
  while let byte = rest.first {
    let length = byte < 0x80 ? 1 : multibyteLength(rest)
    let character = rest.prefix(length ?? 1)
    rest = rest.dropFirst(length ?? 1)
    if length != nil, isVisible(character) {
      text += String(decoding: character, as: UTF8.self)
    } else {
      text += character.map(hexEscape).joined()
    }
  }
  return text
}

private func multibyteLength(_ bytes: some Collection<UInt8>) -> Int? {
  (2...4).first { length in
    let sequence = Array(bytes.prefix(length))
    return sequence.count == length && sequence.withUnsafeBytes { UTF8Sequence.isValid($0) }
  }
}

extension ArraySlice<UInt8> {
  /// How many bytes at the end belong to a character that goes on with `next`.
  fileprivate func cutCharacterBytes(before next: UInt8) -> Int {
    guard next & 0xC0 == 0x80 else { return 0 }
    let tail = suffix(3)
    guard let lead = tail.lastIndex(where: { $0 & 0xC0 != 0x80 }), tail[lead] >= 0xC0 else {
      return 0
    }
    return tail.endIndex - lead
  }
}

private func isVisible(_ character: some Collection<UInt8>) -> Bool {
  String(decoding: character, as: UTF8.self).unicodeScalars.allSatisfy { scalar in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
    default: true
    }
  }
}

private func hexEscape(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16, uppercase: true)
  return digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
}

/// ASCII letters in lower case, all else as it is.
func lowercased(_ byte: UInt8) -> UInt8 {
  (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
}
