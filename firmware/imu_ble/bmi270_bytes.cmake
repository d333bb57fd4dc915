# cmake -DSOURCE=bmi270.c -DOUT=bytes.inc -P bmi270_bytes.cmake: the numbers of bmi270_config_file[] in Bosch's source.
file(READ "${SOURCE}" text)
string(REGEX MATCH "bmi270_config_file\\[\\][^{]*{([^}]*)}" found "${text}")
if(NOT found)
    message(FATAL_ERROR "${SOURCE} has no bmi270_config_file[]: take bmi270.c of Bosch's BMI270_SensorAPI")
endif()
file(WRITE "${OUT}" "${CMAKE_MATCH_1}\n")
