import HotlineWire
import NIOCore

/// What comes from the client: bytes, its end, and the lines in them.
extension ClientHandler {
  // MARK: Channel

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  package func channelActive(context: ChannelHandlerContext) {
    isOpen = true
    delegate?.clientConnected(self)
    context.fireChannelActive()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosing else { return }
    hasRead = true
    var incoming = unwrapInboundIn(data)
    unreadByteCount += incoming.readableBytes
    if unread.readableBytes == 0 { unread = incoming } else { unread.writeBuffer(&incoming) }
    readOn()
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    // One without a read comes before the end of file; to write then, and to find that nobody is
    // there, is what NIO does not expect.
    if hasRead {
      hasRead = false
      delegate?.clientReadCompleted(self)
    }
    context.fireChannelReadComplete()
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .some(ChannelEvent.inputClosed) = event as? ChannelEvent else {
      context.fireUserInboundEventTriggered(event)
      return
    }
    hasEnded = true
    readOn()
    delegate?.clientReadCompleted(self)
    if lingerTimer != nil { drop() }
  }

  package func channelInactive(context: ChannelHandlerContext) {
    lingerTimer?.cancel()
    discardUnwritten()
    hasEnded = true
    readOn()
    context.fireChannelInactive()
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Whatever went wrong with the socket, the client is gone.
    context.close(promise: nil)
  }

  package func read(context: ChannelHandlerContext) {
    guard !isPaused, mayRead else {
      hasHeldRead = true
      return
    }
    context.read()
  }

  // MARK: Lines

  /// Gives out the lines that are there, then tells of the end if it has come.
  ///
  /// A line may have any consequence, that this client is closed or read from again too: called
  /// from within itself it leaves the work to the call that is under way.
  private func readOn() {
    guard !isReadingLines else { return }
    isReadingLines = true
    account()
    readLines()
    account()
    isReadingLines = false
    if ledger.isOver, !isPaused, unread.readableBytes > 0 { abandonLine() }
    if hasEnded, !isPaused { tellEnd() }
  }

  private func readLines() {
    isPaused = false
    var bytes = ByteBuffer()
    while !isClosing {
      if bytes.readableBytes == 0 { swap(&bytes, &unread) } else { bytes.writeBuffer(&unread) }
      unread = ByteBuffer()
      guard mayRead else {
        isPaused = true
        break
      }
      guard readLine(from: &bytes) else { break }
    }
    // The rest of a large read would keep all of it.
    unread = isClosing ? ByteBuffer() : bytes.withoutSlack()
    unreadByteCount = unread.readableBytes
  }

  /// - Returns: false if there is no whole line.
  private func readLine(from bytes: inout ByteBuffer) -> Bool {
    let step = bytes.withUnsafeReadableBytes { unread in
      // A last line without LF counts at the end.
      hasEnded ? framer.finish(in: unread) : framer.next(in: unread)
    }
    switch step {
    case .line(let range, let consumed):
      guard
        let line = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
      else { preconditionFailure("the framer found a line outside the buffer") }
      consume(consumed, of: &bytes)
      delegate?.clientSent(self, line: line)
    case .tooLong(let consumed):
      consume(consumed, of: &bytes)
      delegate?.clientSentTooLong(self)
    case .discard(let consumed):
      consume(consumed, of: &bytes)
    case .needMore:
      return false
    }
    return true
  }

  /// Whoever keeps the line accounts for it from now on.
  private func consume(_ count: Int, of bytes: inout ByteBuffer) {
    bytes.moveReaderIndex(forwardBy: count)
    unreadByteCount -= count
    account()
  }

  /// Gives up the line that is being collected, because the daemon holds too much; its rest is
  /// skipped.
  private func abandonLine() {
    unread = ByteBuffer()
    unreadByteCount = 0
    framer.skipLine()
    account()
    delegate?.clientLineAbandoned(self)
  }

  /// All that the client wrote has been read.
  private func tellEnd() {
    guard isOpen else {
      let delegate = delegate
      self.delegate = nil
      delegate?.clientClosed(self)
      return
    }
    guard !isHalfClosed else { return }
    isHalfClosed = true
    delegate?.clientHalfClosed(self)
  }

  // MARK: Holding back

  /// Lets reading go on where the daemon's own lines have been read, in a turn of its own: the
  /// caller may be in the middle of something.
  func resumeReading() {
    guard !isResumeScheduled, mayRead, let context else { return }
    isResumeScheduled = true
    context.eventLoop.assumeIsolated().execute { [weak self] in self?.resume() }
  }

  private func resume() {
    isResumeScheduled = false
    if isPaused {
      readOn()
      delegate?.clientReadCompleted(self)
    }
    guard hasHeldRead, !isPaused, mayRead, let context else { return }
    hasHeldRead = false
    context.read()
  }
}

extension ByteBuffer {
  /// The same bytes, in memory of their own if they would keep much more than themselves alive.
  package func withoutSlack() -> ByteBuffer {
    storageCapacity <= 2 * readableBytes + 256 ? self : ByteBuffer(bytes: readableBytesView)
  }
}
