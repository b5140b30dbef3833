package receivers

// ZabbixParameters are the parameters of the media type that are read.
var ZabbixParameters = zabbixNames
