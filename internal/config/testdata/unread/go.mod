module unread

go 1.26
