" What :Hotline does: one connection to hotlined for each question; its lines come as they are said.
vim9script

# The conversations of the buffers, as the server wants to be told them, by the buffer's number.
var conversations: dict<list<dict<any>>> = {}
# The one question that waits for its answer; empty where none does.
var running: dict<any> = {}

def SocketPath(): string
  var path = get(g:, 'hotline_socket', $HOTLINE_SOCKET)
  return path != '' ? path : $XDG_RUNTIME_DIR .. '/hotline.sock'
enddef

# The question is the text and, behind a blank line, the lines; the answer goes below a line.
export def Ask(text: string, lines: list<string>, below: number)
  if !empty(running)
    Complain('an answer is still coming; :HotlineCancel ends it')
    return
  endif
  var question = join(filter([text, join(lines, "\n")], (_, part) => part != ''), "\n\n")
  if question == ''
    Complain('nothing to ask: give a text or a range')
    return
  endif
  var channel: channel
  try
    channel = ch_open('unix:' .. SocketPath(),
      {mode: 'nl', callback: Received, close_cb: Closed})
  catch
  endtry
  if ch_status(channel) != 'open'
    Complain('cannot reach hotlined at ' .. SocketPath() .. '; start it, or set g:hotline_socket')
    return
  endif
  var buffer = bufnr()
  append(below, '')
  # A mark keeps the place while the text around it is edited.
  if empty(prop_type_get('hotline', {bufnr: buffer}))
    prop_type_add('hotline', {bufnr: buffer})
  endif
  Mark(buffer, below + 1)
  var past = get(conversations, buffer, [])
  running = {channel: channel, buffer: buffer, question: question, answer: '', problem: ''}
  var body: dict<any> = {input: past + [Said('user', 'input_text', question)]}
  if exists('g:hotline_model')
    body.model = g:hotline_model
  endif
  var options = {tag: 'vim', conversation: printf('vim-%d-%d', getpid(), buffer)}
  ch_sendraw(channel, json_encode(
    {type: 'response.create', hotline: options, response: body}) .. "\n")
enddef

export def Cancel()
  if empty(running)
    return
  endif
  # The daemon cancels upstream what a client that hangs up has asked for.
  ch_close(running.channel)
  Finish()
enddef

export def Forget()
  if has_key(conversations, bufnr())
    remove(conversations, bufnr())
  endif
enddef

export def IsRunning(): bool
  return !empty(running)
enddef

def Mark(buffer: number, line: number)
  prop_remove({type: 'hotline', all: true, bufnr: buffer})
  prop_add(line, 1, {type: 'hotline', bufnr: buffer})
enddef

def Said(role: string, kind: string, text: string): dict<any>
  return {type: 'message', role: role, content: [{type: kind, text: text}]}
enddef

def Received(channel: channel, line: string)
  if empty(running) || running.channel != channel
    return
  endif
  var event = json_decode(line)
  var kind = get(event, 'type', '')
  if kind == 'response.output_text.delta'
    Write(event.delta)
  elseif kind == 'error' || kind == 'response.failed'
    var error = get(get(event, 'response', event), 'error', event)
    running.problem = get(error, 'message', 'the request failed')
    if !get(get(event, 'hotline', {}), 'accepted', true)
      ch_close(channel)
      Finish()
    endif
  elseif kind == 'hotline.done'
    ch_close(channel)
    if event.outcome == 'completed' || event.outcome == 'incomplete'
      var past = get(conversations, running.buffer, [])
      conversations[running.buffer] = past
        + [Said('user', 'input_text', running.question),
           Said('assistant', 'output_text', running.answer)]
    elseif running.problem == ''
      running.problem = event.outcome
    endif
    Finish()
  endif
enddef

def Closed(channel: channel)
  if !empty(running) && running.channel == channel
    running.problem = 'hotlined closed the connection before the last line; ask again'
    Finish()
  endif
enddef

def Finish()
  var problem = running.problem
  if bufloaded(running.buffer)
    prop_remove({type: 'hotline', all: true, bufnr: running.buffer})
  endif
  running = {}
  if problem != ''
    Complain(problem)
  endif
enddef

# Puts more of the answer behind what there is of it.
def Write(text: string)
  var marks = bufloaded(running.buffer)
    ? prop_list(1, {bufnr: running.buffer, end_lnum: -1, types: ['hotline']}) : []
  if empty(marks)
    # The answer has been deleted: nobody wants the rest.
    Cancel()
    return
  endif
  var first = marks[0].lnum
  var line = first + count(running.answer, "\n")
  var parts = split(text, "\n", 1)
  running.answer ..= text
  setbufline(running.buffer, line, getbufline(running.buffer, line)[0] .. parts[0])
  if line == first
    # A line that is set anew has lost its properties.
    Mark(running.buffer, first)
  endif
  appendbufline(running.buffer, line, parts[1 :])
  redraw
enddef

def Complain(problem: string)
  echohl ErrorMsg
  echomsg 'hotline: ' .. problem
  echohl None
enddef
