" Asks a language model through hotlined, and streams the answer into the buffer.
" :help hotline. Vim 9.0 or later with +channel.
if exists('g:loaded_hotline') || !has('channel')
  finish
endif
let g:loaded_hotline = 1

command! -nargs=* -range=0 Hotline
      \ call hotline#Ask(<q-args>, <range> ? getline(<line1>, <line2>) : [], <range> ? <line2> : line('.'))
command! HotlineCancel call hotline#Cancel()
command! HotlineForget call hotline#Forget()
