# What a bundle adds to the build: EDGEHAR_MODEL_DIR is the directory c/ of its export, as an absolute path.
if(NOT EXISTS "${EDGEHAR_MODEL_DIR}/eh_csi_input.h" OR NOT EXISTS "${EDGEHAR_MODEL_DIR}/eh_model.c")
    message(FATAL_ERROR "${EDGEHAR_MODEL_DIR} holds no model for CSI: edgehar export BUNDLE --target c "
                        "--csi-layout LAYOUT --out DIR, then -DEDGEHAR_MODEL_DIR=DIR/c with its whole path")
endif()
set(model_sources "${EDGEHAR_MODEL_DIR}/eh_model.c" "${EDGEHAR_MODEL_DIR}/eh_stream.c" "${firmware}/infer/eh_infer.c")
set(model_includes "${EDGEHAR_MODEL_DIR}" "${firmware}/infer")
