internal import HotlineWire

extension FuzzTarget {
  /// The first byte is the limit, the rest what the client sends.
  func checkLines(_ input: [UInt8]) throws(BrokenProperty) {
    guard let first = input.first else { return }
    let lineBytesMax = Int(first)
    let sent = input.dropFirst()
    let expected = referenceLines(sent, lineBytesMax: lineBytesMax)
    var chance = InputChance(input)
    let splits = [
      [sent], sent.indices.map { sent[$0...$0] }, chance.pieces(sent, count: 2),
      chance.pieces(sent, count: 5),
    ]
    for pieces in splits {
      let found = try framedLines(pieces, lineBytesMax: lineBytesMax)
      try hold(found == expected, "in \(pieces.count) pieces \(found), expected \(expected)")
    }
  }

  /// What the framer must find, worked out on the whole of it; nil for a line that is too long.
  private func referenceLines(_ sent: ArraySlice<UInt8>, lineBytesMax: Int) -> [[UInt8]?] {
    sent.split(separator: 0x0A, omittingEmptySubsequences: false).compactMap { line -> [UInt8]?? in
      let content = line.last == 0x0D ? line.dropLast() : line
      if content.count > lineBytesMax { return .some(nil) }
      return content.allSatisfy { " \t\r".utf8.contains($0) } ? nil : .some(Array(content))
    }
  }

  private func framedLines(
    _ pieces: [ArraySlice<UInt8>], lineBytesMax: Int
  ) throws(BrokenProperty) -> [[UInt8]?] {
    var framer = LineFramer(lineBytesMax: lineBytesMax)
    var unread: [UInt8] = []
    var found: [[UInt8]?] = []
    for piece in pieces.map(Optional.some) + [nil] {
      if let piece { unread += piece }
      var isDone = false
      while !isDone {
        let step = unread.withUnsafeBytes {
          piece == nil ? framer.finish(in: $0) : framer.next(in: $0)
        }
        switch step {
        case .line(let range, let consumed):
          try hold(
            range.upperBound <= consumed && consumed <= unread.count && !range.isEmpty,
            "\(step) of \(unread.count) bytes")
          found.append(Array(unread[range]))
          unread.removeFirst(consumed)
        case .tooLong(let consumed):
          try hold((1...unread.count).contains(consumed), "\(step) of \(unread.count) bytes")
          found.append(nil)
          unread.removeFirst(consumed)
        case .discard(let consumed):
          try hold((1...unread.count).contains(consumed), "\(step) of \(unread.count) bytes")
          unread.removeFirst(consumed)
        case .needMore:
          try hold(unread.count <= lineBytesMax + 1, "\(unread.count) bytes are kept")
          isDone = true
        }
      }
    }
    try hold(unread.isEmpty, "\(unread.count) bytes are left")
    return found
  }
}
